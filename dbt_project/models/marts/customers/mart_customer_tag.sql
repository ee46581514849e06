with customers as (
    select * from {{ ref('int_customers_with_assets') }}
    where {{ is_loaded_date('business_date') }}
),

tags_by_day as (
    select * from {{ ref('int_customer_tags_by_day') }}
),

final as (
    select
        customers.business_date as as_of_date,
        customers.customer_id,
        tags_by_day.tag_name,
        min(tags_by_day.business_date) as first_date,
        max(tags_by_day.business_date) as last_date,
        max(tags_by_day.business_date) >= trunc(customers.business_date, 'MM') as is_current_month
    from customers
    inner join tags_by_day
        on
            customers.customer_id = tags_by_day.customer_id
            and customers.business_date >= tags_by_day.business_date
    group by customers.business_date, customers.customer_id, tags_by_day.tag_name
)

select * from final
