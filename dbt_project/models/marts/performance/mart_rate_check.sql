with agreed_rates as (
    select * from {{ ref('stg_gold__agreed_rates') }}
),

charge_checks as (
    select * from {{ ref('mart_charge_check') }}
),

-- of several orders one tells what became of the rate: first that the counter does not know it
charges_told_by_rate as (
    select
        business_date,
        account_id,
        product_class,
        exchange_code,
        count_if(charge_status = 'not_applied') as not_applied_count,
        count_if(charge_status = 'overcharged') as overcharged_count,
        count_if(charge_status = 'undercharged') as undercharged_count
    from charge_checks
    group by business_date, account_id, product_class, exchange_code
),

with_status as (
    select
        agreed_rates.*,
        case
            when agreed_rates.effective_date > agreed_rates.business_date then 'pending'
            when not agreed_rates.is_in_force then 'effective'
            when
                charges_told_by_rate.not_applied_count > 0
                or agreed_rates.counter_rate_status in ('different', 'missing')
                then 'not_applied'
            when charges_told_by_rate.overcharged_count > 0 then 'overcharged'
            when charges_told_by_rate.undercharged_count > 0 then 'undercharged'
            else 'effective'
        end as rate_status,
        coalesce(
            agreed_rates.is_in_force
            and agreed_rates.expiry_date <= date_add(agreed_rates.business_date, {{ var('rate_notice_days') }}),
            false
        ) as is_ending_soon,
        agreed_rates.is_in_force
        and agreed_rates.includes_regulatory_fee
        and agreed_rates.commission_rate < agreed_rates.regulatory_rate as is_below_regulatory_fee
    from agreed_rates
    left join charges_told_by_rate
        on
            agreed_rates.business_date = charges_told_by_rate.business_date
            and agreed_rates.account_id = charges_told_by_rate.account_id
            and agreed_rates.product_class = charges_told_by_rate.product_class
            and agreed_rates.exchange_code = charges_told_by_rate.exchange_code
),

final as (
    select
        business_date,
        account_id,
        product_class,
        exchange_code,
        effective_date,
        expiry_date,
        coalesce(customer_id, 'unlinked') as customer_id,
        branch_id,
        commission_rate,
        minimum_commission_amount,
        includes_regulatory_fee,
        counter_commission_rate,
        regulatory_rate,
        rate_status,
        counter_rate_status,
        is_ending_soon,
        is_below_regulatory_fee
    from with_status
    where rate_status != 'effective' or is_ending_soon or is_below_regulatory_fee
)

select * from final
