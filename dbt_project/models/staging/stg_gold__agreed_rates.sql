with source as (
    select * from {{ source('gold', 'agreed_rates') }}
),

final as (
    select
        account_id,
        product_class,
        exchange_code,
        effective_date,
        business_date,
        customer_id,
        branch_id,
        expiry_date,
        commission_rate,
        minimum_commission_amount,
        includes_regulatory_fee,
        regulatory_rate,
        is_in_force,
        counter_commission_rate,
        counter_rate_status
    from source
    where {{ is_loaded_date('business_date') }}
)

select * from final
