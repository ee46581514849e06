with profiles as (
    select * from {{ ref('mart_customer_profile') }}
),

compared as (
    select * from {{ ref('int_customers_compared') }}
),

cash_flows as (
    select * from {{ ref('stg_gold__cash_flows') }}
),

trading_days as (
    select * from {{ ref('int_trading_days_numbered') }}
),

flows_by_customer_day as (
    select
        customer_id,
        business_date,
        case flow_class when 'client_in' then 'large_in' else 'large_out' end as movement_kind,
        -- what is taken out is told as a positive amount too
        sum(case flow_class when 'client_in' then amount_cny else -amount_cny end) as movement_amount
    from cash_flows
    where
        flow_class in ('client_in', 'client_out')
        and customer_id is not null
        and {{ is_loaded_date('business_date') }}
    group by customer_id, business_date, case flow_class when 'client_in' then 'large_in' else 'large_out' end
),

movements as (
    select
        customer_id,
        business_date,
        movement_kind,
        movement_amount
    from flows_by_customer_day
    where movement_amount >= {{ large_flow_amount('business_date') }}
    union all
    -- who opened on a day without trading is told of on the next trading day
    select
        profiles.customer_id,
        profiles.as_of_date as business_date,
        'opened' as movement_kind,
        null as movement_amount
    from profiles
    inner join trading_days on profiles.as_of_date = trading_days.trading_date
    where
        profiles.open_date > trading_days.previous_trading_date
        and profiles.open_date <= profiles.as_of_date
    union all
    select
        customer_id,
        business_date,
        explode(array_compact(array(
            case when is_closed and not was_closed then 'closed' end,
            case when is_lost and not was_lost then 'lost' end,
            case when is_valid_customer and not was_valid_customer then 'newly_valid' end
        ))) as movement_kind,
        null as movement_amount
    from compared
),

final as (
    select
        movements.business_date,
        movements.customer_id,
        movements.movement_kind,
        cast(movements.movement_amount as decimal(18, 2)) as movement_amount,
        profiles.branch_id,
        profiles.region_name,
        profiles.main_staff_employee_id
    from movements
    -- a day's flows are those of its customers: an account without a delivered client has no customer
    inner join profiles
        on
            movements.customer_id = profiles.customer_id
            and movements.business_date = profiles.as_of_date
)

select * from final
